"""Tests of the rules of runs."""
