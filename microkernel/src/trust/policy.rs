//! What an evaluator is given: policy texts, and under which rules they are read.

/// One policy text and the name it is reported by, usually its file's name.
#[derive(Debug, Clone)]
pub struct PolicySource {
    /// Its name. Policies in it are reported as `NAME:ID`, where ID is the policy's `@id` or its place in the
    /// text (`policy0`). The name `builtin` is taken.
    pub name: String,
    /// Cedar policies.
    pub text: String,
}

/// Whether policies must permit what the manifest asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Enforcement {
    /// What a plugin was granted is done only when a policy permits it.
    #[default]
    PolicyDecides,
    /// Development: what a plugin was granted is permitted by the policy `builtin:granted-is-permitted`, which
    /// every such decision names. A forbidding policy still wins. For `security.enforce_permissions: false`.
    GrantedIsPermitted,
}

/// Under which rules the policies are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyOptions {
    /// The environment policies see as `context.environment`.
    pub environment: String,
    /// Whether policies must permit what the manifest asks for.
    pub enforcement: Enforcement,
}

impl Default for PolicyOptions {
    /// Production, and policies decide.
    fn default() -> Self {
        Self { environment: "production".to_owned(), enforcement: Enforcement::PolicyDecides }
    }
}

impl PolicyOptions {
    /// The ids of the built-in policies that are in force under these options.
    pub fn builtin(&self) -> Vec<&'static str> {
        let mut ids = vec![
            builtin::OPEN,
            builtin::OWN_SECTION,
            builtin::PRIVATE_AREA,
            builtin::HOST_MANAGES,
            builtin::OPERATOR_MANAGES,
        ];
        if self.enforcement == Enforcement::GrantedIsPermitted {
            ids.push(builtin::GRANTED_IS_PERMITTED);
        }
        ids
    }
}

/// The ids of the built-in policies; the same with and without Cedar.
pub(super) mod builtin {
    /// `log` and `ping`, for everyone.
    pub(crate) const OPEN: &str = "builtin:open";
    /// `config_get`, whose handler can name nothing but the caller's own section.
    pub(crate) const OWN_SECTION: &str = "builtin:own-section";
    /// Files and keys in the caller's private area.
    pub(crate) const PRIVATE_AREA: &str = "builtin:private-area";
    /// Management by a part of the host.
    pub(crate) const HOST_MANAGES: &str = "builtin:host-manages";
    /// Management by an operator.
    pub(crate) const OPERATOR_MANAGES: &str = "builtin:operator-manages";
    /// The development mode.
    pub(crate) const GRANTED_IS_PERMITTED: &str = "builtin:granted-is-permitted";
}
