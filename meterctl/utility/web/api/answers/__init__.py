"""What the API answers: a model for each entity, amounts and instants as texts."""
