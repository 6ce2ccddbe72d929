//! plugin-manager/guest/pdk
