"""Tests of real servers, from the outside."""
