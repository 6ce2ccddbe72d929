//! The service behind `http_request`: secrets in, hop by hop through the door, answer out.

use super::answer::Answer;
use super::exchange::Hop;
use super::fault::Fault;
use super::net::{Http, HttpAccess};
use super::quota::Entered;
use super::request::{self, Asked};
use super::url::{Scheme, Url};
use crate::extension::secret::{SecretSource, SecretValue, read_secret};
use crate::extension::service::{Service, plugin};
use common::clock::Deadline;
use common::identity::IdentityContext;
use common::trace::TraceContext;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use microkernel::syscall_bridge::{Call, CallError, Further, Status, Target};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The header of W3C Trace Context.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Sends a request and answers what the server did.
pub(in crate::extension) struct HttpRequest {
    pub http: Arc<Http>,
    pub secrets: Arc<dyn SecretSource>,
}

impl Service for HttpRequest {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        request::url(args).map(|url| host(&url))
    }
    fn summary(&self, args: &[u8]) -> Option<String> {
        request::summary(args)
    }
    fn decides_further(&self) -> bool {
        true
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        let Call { identity, deadline, cancel, clock, args, response, spans, further, .. } = call;
        let further = further.ok_or(Fault::Internal)?;
        let asked = Asked::parse(args)?;
        let options = self.http.options();
        if options.access == HttpAccess::None {
            return Err(Fault::Off.into());
        }
        let entered = self.http.quotas.enter(plugin(identity)?.id, clock)?;
        let wait = asked.timeout.map_or(options.timeout, |asked| asked.min(options.timeout));
        let until = deadline.min(Deadline::after(clock, wait));
        let secrets = self.secrets(&asked, further)?;
        let first = Hop {
            url: asked.url.clone(),
            method: asked.method.clone(),
            headers: traced(asked.headers(&secrets)?, spans.context())?,
            body: asked.body.clone(),
        };
        drop(secrets);
        let exchange = |hop: &Hop, entered: &Entered<'_>| {
            entered.hop(clock)?;
            let done = self.http.exchange(hop.clone(), until, clock, cancel);
            if let Ok(answer) = &done {
                entered.spend(answer.bytes);
            }
            done
        };
        let answer = self.follow(&asked, first, further, |hop| exchange(hop, &entered))?;
        answer.encode(response);
        Ok(())
    }
}

impl HttpRequest {
    /// The secrets the request refers to, each decided on.
    fn secrets(
        &self,
        asked: &Asked,
        further: &mut dyn Further,
    ) -> Result<BTreeMap<String, SecretValue>, CallError> {
        let names = asked.secrets();
        if !names.is_empty() && asked.url.scheme != Scheme::Https {
            return Err(Fault::PlainSecret.into());
        }
        let mut found = BTreeMap::new();
        for name in names {
            let target = Target { name: Cow::Borrowed(name), private: false };
            admit(further, "secret_use", &target)?;
            found.insert(name.to_owned(), read_secret(&*self.secrets, name)?);
        }
        Ok(found)
    }

    /// Exchanges until the answer is no redirect. Each hop after the first is decided by the door.
    fn follow(
        &self,
        asked: &Asked,
        first: Hop,
        further: &mut dyn Further,
        mut exchange: impl FnMut(&Hop) -> Result<Answer, Fault>,
    ) -> Result<Answer, CallError> {
        let mut hop = first;
        let mut followed = 0;
        loop {
            self.plainness(&hop.url)?;
            let answer = exchange(&hop)?;
            let Some(location) = answer.location() else { return Ok(answer) };
            if followed == self.http.options().redirects {
                return Err(Fault::TooManyRedirects.into());
            }
            followed += 1;
            hop = next(asked, hop, &answer, location)?;
            admit(further, "http_request", &host(&hop.url))?;
        }
    }

    fn plainness(&self, url: &Url) -> Result<(), Fault> {
        match url.scheme {
            Scheme::Https => Ok(()),
            Scheme::Http if self.http.plain_is_granted(url) => Ok(()),
            Scheme::Http => Err(Fault::Plain),
        }
    }
}

/// The headers with the place in the trace the request is part of, unless the plugin names one itself.
fn traced(mut headers: HeaderMap, at: Option<TraceContext>) -> Result<HeaderMap, Fault> {
    if let Some(at) = at.filter(|_| !headers.contains_key(TRACEPARENT)) {
        let value = HeaderValue::from_str(&at.to_string()).map_err(|_| Fault::Internal)?;
        headers.insert(TRACEPARENT, value);
    }
    Ok(headers)
}

/// The hop a redirect asks for: `GET` after 303, and after 301 and 302 where it was `POST`, as the standard says.
/// What leaves the origin loses credentials and secrets for good.
fn next(asked: &Asked, from: Hop, answer: &Answer, location: &str) -> Result<Hop, CallError> {
    let url = from.url.join(location).map_err(|_| Fault::BadRedirect)?;
    if from.url.scheme == Scheme::Https && url.scheme == Scheme::Http {
        return Err(Fault::Downgrade.into());
    }
    let becomes_get = match answer.status.as_u16() {
        303 => from.method != Method::HEAD,
        301 | 302 => from.method == Method::POST,
        _ => false,
    };
    let mut hop = Hop { url, ..from.clone() };
    if !hop.url.same_origin(&from.url) {
        hop.headers = asked.headers_for_others()?;
    }
    if becomes_get {
        hop.method = Method::GET;
        hop.body = Bytes::new();
        hop.headers.remove(hyper::header::CONTENT_TYPE);
    }
    Ok(hop)
}

fn host(url: &Url) -> Target<'static> {
    Target { name: Cow::Owned(url.authority()), private: false }
}

fn admit(further: &mut dyn Further, action: &str, target: &Target<'_>) -> Result<(), CallError> {
    let admitted = further.admit(action, target);
    admitted.map(drop).map_err(|status| match status {
        Status::Denied => CallError::new(status, "a further decision denied it"),
        status => CallError::new(status, "a further decision could not be made"),
    })
}
