"""Tests; their folders mirror the packages they test."""
