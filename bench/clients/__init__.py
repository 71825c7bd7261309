"""Who asks the servers: readers that cost almost nothing, load in a closed loop, slow readers."""
