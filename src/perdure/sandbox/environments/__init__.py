"""Folders with the packages that tools require, built once and kept for as long as there is room."""
