"""Graphs of relations: the data, how to build, check and print it."""

from eyeshot.graph.builder import Builder, Ref
from eyeshot.graph.graph import Graph, ModuleOutput, Node, Tensor

__all__ = ["Builder", "Graph", "ModuleOutput", "Node", "Ref", "Tensor"]
