"""Commands of the desk killed within a sale: nothing is lost, nothing is delivered twice."""
