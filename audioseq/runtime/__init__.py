"""Trained networks without torch: ONNX graphs, and single steps in NumPy."""
