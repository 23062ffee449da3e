//! Owns connectors and tasks on this machine; drives the herder; stores.
