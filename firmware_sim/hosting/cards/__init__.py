"""Cards and the slots of running meters: files, PC/SC readers, the virtual reader."""
