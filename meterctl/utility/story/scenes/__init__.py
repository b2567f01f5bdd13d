"""The parts of the story, in their order: each takes the office and the plan."""
