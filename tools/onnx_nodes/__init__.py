"""ONNX's backend node tests against the frontend: what each op reads, by perturbing single elements of its inputs."""
