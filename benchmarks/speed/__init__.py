"""Time and memory of training: the cost of a step beside other implementations, caching, parallel runs, start-up."""
