//! Timestamps made here and elsewhere: what is believed and what is not.
