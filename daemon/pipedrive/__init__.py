"""The Pipedrive edge: HTTP, pacing, budget, and a change made true exactly once."""
