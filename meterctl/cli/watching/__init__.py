"""What `watch` shows: lines, a file, and the picture at a terminal."""
