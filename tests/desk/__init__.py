"""Stories of the desk, on both engines and between processes."""
