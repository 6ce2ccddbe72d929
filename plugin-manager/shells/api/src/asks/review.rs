//! Who looked at what, and what nobody has looked at for long.

use super::{Ask, Parcel};
use crate::shown::ReviewLine;
use common::error::ForgeError;
use plugin_manager::{PluginManager, ReviewSubject};
use serde::{Deserialize, Serialize};

/// Takes down a review.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Review {
    /// The plugin; the policies in force without one.
    pub plugin: Option<String>,
    /// Who reviewed it; who asks, without one.
    pub by: Option<String>,
    /// What is to be remembered with it.
    pub note: Option<String>,
}

impl Ask for Review {
    type Reply = ReviewLine;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<ReviewLine>, ForgeError> {
        let subject = self.plugin.map_or(ReviewSubject::Policy, ReviewSubject::Plugin);
        let review = manager.review(&subject, self.by.as_deref(), self.note.as_deref())?;
        Ok(ReviewLine::from(review).into())
    }
}

/// How the reviews of everything stand.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reviews {}

impl Ask for Reviews {
    type Reply = Vec<ReviewLine>;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<Vec<ReviewLine>>, ForgeError> {
        Ok(manager.reviews()?.into_iter().map(ReviewLine::from).collect::<Vec<_>>().into())
    }
}
