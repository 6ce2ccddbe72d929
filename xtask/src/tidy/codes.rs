//! Every error code is given by some part of the product, or is reserved; never both.

use std::collections::BTreeSet;

use super::Finding;
use super::source::Source;

/// Where the table of codes is.
const TABLE: &str = "common/src/error/table.rs";
/// Below here codes are listed and explained, not given.
const LISTED: &str = "common/src/error/";

/// Codes nothing gives although they are not reserved, and reserved ones that something gives.
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let given: BTreeSet<&str> =
        sources.iter().filter(|s| !s.path.starts_with(LISTED)).flat_map(codes).collect();
    let reserved = |id: &str| common::error::RESERVED.iter().any(|code| code.id == id);
    let finding = |id: &&str| {
        let what = match (given.contains(*id), reserved(id)) {
            (false, false) => format!("nothing gives {id}: remove it, or name it in error::RESERVED"),
            (true, true) => format!("{id} is reserved and given: take it out of error::RESERVED"),
            _ => return None,
        };
        Some(Finding::new(TABLE, 0, what))
    };
    common::error::ALL.iter().map(|code| code.id).filter_map(|id| finding(&id)).collect()
}

/// The codes named as `codes::E1204` in code that is no test.
fn codes(source: &Source) -> impl Iterator<Item = &str> {
    let after = source.library.split("codes::E").skip(1);
    after.filter_map(|rest| rest.get(..4)).filter_map(|digits| {
        let id = |code: &&&common::error::Code| code.id.get(1..) == Some(digits);
        common::error::ALL.iter().find(id).map(|code| code.id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_counts_as_given_only_in_code_of_the_product() {
        let found = |path: &str, code: &str| {
            let findings = check(&[Source::new(path, code.to_owned())]);
            findings.iter().any(|f| f.what.contains("nothing gives E0001"))
        };
        let code = "fn f() -> &'static Code { &codes::E0001 }";
        assert!(!found("plugin-manager/src/a.rs", code));
        assert!(!found("plugin-manager/shells/cli/src/a.rs", code));
        assert!(found("common/src/error/table.rs", code));
        assert!(found("tests/it/a.rs", code));
        assert!(found("plugin-manager/src/a.rs", "// codes::E0001"));
        assert!(found("plugin-manager/src/a.rs", &format!("#[cfg(test)] mod tests {{ {code} }}")));
    }

    #[test]
    fn a_reserved_code_that_is_given_is_a_finding() {
        let id = common::error::RESERVED[0].id;
        let source = Source::new("plugin-manager/src/a.rs", format!("fn f() {{ codes::{id}; }}"));
        assert!(check(&[source]).iter().any(|f| f.what.contains(&format!("{id} is reserved and given"))));
    }
}
