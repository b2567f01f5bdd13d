"""What the desk decides from values alone: state tables, postings, rights, terms, dates."""
