"""Which few numbers say what a configuration is? Autoencoders, encoders that answer queries, the pendulum."""
