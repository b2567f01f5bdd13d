"""What the desk does at meters: its workers carry out committed orders and book what was proved."""
