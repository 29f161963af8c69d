"""Ports, and the plain types they speak."""
