"""How far does a net carry that saw one density? Committees beside the independent truth."""
