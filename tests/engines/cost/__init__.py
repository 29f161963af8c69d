"""Tests of the cost rules."""
