//! One instance with its host context: a call from begin to end.
