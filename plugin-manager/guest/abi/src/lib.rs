//! plugin-manager/guest/abi
