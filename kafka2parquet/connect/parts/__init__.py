"""The parts of a sink task, each built from the properties of a connector."""
