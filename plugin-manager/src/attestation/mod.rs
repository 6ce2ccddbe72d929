//! Package to VerifiedPackage.
