"""The way in for ONNX: files and bytes, read without onnx, protobuf or onnxruntime."""
