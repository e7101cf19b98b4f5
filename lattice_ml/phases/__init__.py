"""From configurations to a phase diagram: embedding, unsupervised labels, boundaries with error bars."""
