//! Host services behind the bridge.
