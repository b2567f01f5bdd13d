"""Killed processes, full disks, damaged files and lost ports: no credit is lost or doubled."""
