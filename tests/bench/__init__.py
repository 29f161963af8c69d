"""Tests of what the measurements compute."""
