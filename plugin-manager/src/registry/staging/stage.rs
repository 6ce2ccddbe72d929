//! `stage`: proven as by `install`, tried in a home of its own, told, recorded, and attested when it passed.

use super::super::dependencies::plan;
use super::super::load::identity;
use super::super::manager::PluginManager;
use super::super::operator::Desk;
use super::super::sources;
use super::bench::Bench;
use super::cases::{self, Case, Settings};
use super::error::StagingError;
use super::report::{StageReport, TestReport};
use super::scratch::in_scratch;
use super::soak::{self, SoakLength};
use crate::attestation::{StagingFacts, VerifiedPackage, sign_staging};
use crate::config::Environment;
use crate::resolver::Candidate;
use crate::workshop::{SignWith, signing_key};
use common::audit::Outcome;
use common::cancel::CancelToken;
use common::error::{ForgeError, codes};
use common::identity::Digest;
use microkernel::trust::ManagementAction;
use std::sync::Arc;

/// How a package is staged.
#[derive(Debug, Clone, Default)]
pub struct StageRequest {
    /// How long it is soaked.
    pub soak: SoakLength,
    /// Who attests it when it passes; with nobody it is only tried.
    pub stager: Option<SignWith>,
}

impl PluginManager {
    /// Whether packages are staged in this home; with `only_try` whether they are tried.
    ///
    /// # Errors
    /// E0109.
    pub fn may_stage(&self, only_try: bool) -> Result<(), ForgeError> {
        Ok(stages(self.host().config.environment, only_try)?)
    }

    /// Tries a package in a home of its own, made for the run inside this one with its trust and its configuration: the
    /// package's own tests, and when all of them pass a soak. What it needs is taken from the plugins that are
    /// installed here. A package that passes is attested, if somebody is to attest it; the attestation is in the report,
    /// and [`with_staging`](crate::with_staging) puts it into the package. Nothing here changes but the log.
    ///
    /// # Errors
    /// E0109 outside staging, or without a stager in production; E1018 when the tests cannot be used; E4030 while
    /// another package is being staged; E4031 when the token says that nobody waits for it any more; whatever refuses
    /// the package. That it failed is no error here: [`StageReport::verdict`] says so.
    pub fn stage(
        &self,
        package: &[u8],
        request: &StageRequest,
        unwanted: &CancelToken,
    ) -> Result<StageReport, ForgeError> {
        let (host, action) = (self.host(), ManagementAction::Stage);
        let digest = Digest::of(package).to_string();
        host.recorded(action, &digest, || {
            self.may_stage(request.stager.is_none())?;
            let soak = request.soak.checked()?;
            let verified = host.prove(package)?;
            let name = verified.package().manifest().name.clone();
            host.authorise(action, name.as_str())?;
            let cases = cases::of(verified.package())?;
            soak::repeated(&cases)?;
            let run = Run { manager: self, package, verified: &verified, cases: &cases, soak, unwanted };
            run.whole(request.stager.as_ref())
        })
    }
}

/// Only staging attests; only production does not try.
fn stages(environment: Environment, only_try: bool) -> Result<(), StagingError> {
    match environment {
        Environment::Staging => Ok(()),
        Environment::Development if only_try => Ok(()),
        other => Err(StagingError::NotStaging(other.name())),
    }
}

/// One staging run.
struct Run<'a> {
    manager: &'a PluginManager,
    package: &'a [u8],
    verified: &'a VerifiedPackage,
    cases: &'a [Case],
    soak: SoakLength,
    unwanted: &'a CancelToken,
}

impl<'a> Run<'a> {
    fn desk(&self) -> Desk<'a> {
        self.manager.host()
    }

    fn whole(&self, stager: Option<&SignWith>) -> Result<StageReport, ForgeError> {
        let desk = self.desk();
        let Some(_one) = desk.staging.try_lock() else { return Err(StagingError::Busy.into()) };
        let plugin = identity(self.verified);
        let (digest, name) = (plugin.digest.to_string(), plugin.name.to_string());
        let details = [("version", plugin.version.as_str()), ("manifest", &digest), ("verdict", "begun")];
        desk.intend(ManagementAction::Stage.name(), &name, &details)?;
        let mut report = in_scratch(desk, |manager| self.tried(manager))?;
        let verdict = report.verdict();
        let (tests, calls) = figures(&report);
        let (tests_text, calls_text) = (tests.to_string(), calls.to_string());
        let mut details = vec![
            ("version", plugin.version.as_str()),
            ("manifest", &digest),
            ("tests", &tests_text),
            ("calls", &calls_text),
        ];
        if let Err(error) = verdict {
            details.push(("verdict", "failed"));
            let code = Some(error.code().id);
            desk.audit.commit(&desk.management("stage", &name, Outcome::Failed, code, &details))?;
            return Ok(report);
        }
        details.push(("verdict", "passed"));
        let attested = stager.map(|stager| self.attested(&report, stager)).transpose()?;
        let bundle = attested.as_ref().map(|(_, bundle)| Digest::of(bundle).to_string());
        details.extend(bundle.as_deref().map(|bundle| ("attestation", bundle)));
        // Recorded before anybody has the attestation.
        desk.intend("stage", &name, &details)?;
        (report.stager, report.attestation) = attested.unzip();
        Ok(report)
    }

    /// In the home of the run: installed, tested, soaked.
    fn tried(&self, manager: &PluginManager) -> Result<StageReport, ForgeError> {
        for needed in self.needed()? {
            manager.install(&needed, true)?;
        }
        let installed = manager.install(self.package, true)?;
        let settings = Settings::default();
        let mut bench = Bench { manager, name: &installed.name, unwanted: self.unwanted, settings };
        let tests = self.cases.iter().map(|case| test(&mut bench, case)).collect::<Result<Vec<_>, _>>()?;
        let mut report = StageReport {
            name: installed.name.clone(),
            version: installed.version,
            publisher: installed.publisher,
            digest: installed.digest,
            engine: installed.engine,
            tests,
            soak: None,
            stager: None,
            attestation: None,
        };
        if report.verdict().is_ok() {
            let repeated = soak::repeated(self.cases)?;
            report.soak = Some(soak::soak(&mut bench, &repeated, self.soak)?);
        }
        Ok(report)
    }

    /// The packages of what it needs, in the order in which they start: as they are installed here.
    fn needed(&self) -> Result<Vec<Vec<u8>>, ForgeError> {
        let desk = self.desk();
        let own = &self.verified.package().manifest().name;
        let mut all = desk.candidates()?;
        all.retain(|candidate| candidate.name != *own);
        all.push(Arc::new(Candidate::from(self.verified)));
        let mut packages = Vec::new();
        for name in plan(&all, own)?.start_order().iter().filter(|name| *name != own) {
            // Code of the host program is there without being installed.
            if let Some(row) = desk.home.plugin(name)? {
                packages.push(desk.home.read_package(&row.plugin.package)?);
            }
        }
        Ok(packages)
    }

    fn attested(&self, report: &StageReport, stager: &SignWith) -> Result<(String, Vec<u8>), ForgeError> {
        let desk = self.desk();
        let (tests, calls) = figures(report);
        let policies = sources::policies(&desk.home.policy_dir())?;
        let facts = StagingFacts {
            policies: sources::digest_of(&policies).unwrap_or_else(|| Digest::of(b"")),
            engine: report.engine.clone(),
            tests,
            calls,
        };
        let (key, leaf, uri) = signing_key(stager)?;
        let now = desk.clock.wall_ns();
        let bundle = sign_staging(self.verified.package(), &facts, &key, &leaf, now)?;
        let uri =
            uri.ok_or_else(|| ForgeError::new(&codes::E1312, "the stager's certificate has no identity"))?;
        Ok((uri, bundle))
    }
}

/// How many tests there were, and calls in the soak.
fn figures(report: &StageReport) -> (u64, u64) {
    let tests = u64::try_from(report.tests.len()).unwrap_or(u64::MAX);
    (tests, report.soak.as_ref().map_or(0, |soak| soak.calls))
}

fn test(bench: &mut Bench<'_>, case: &Case) -> Result<TestReport, ForgeError> {
    bench.set(&case.settings)?;
    let ended = bench.call(case)?;
    Ok(TestReport {
        file: case.file.clone(),
        name: case.name.clone(),
        operation: case.operation.clone(),
        took: ended.took,
        problems: ended.problems(&case.expect),
    })
}
