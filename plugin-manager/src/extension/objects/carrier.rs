//! The requests of `object_store` over the client of this host: its addresses, its roots, its caps.

use crate::extension::http::{Fault, Hop, Http, OwnTerms, Url};
use http_body_util::BodyExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// The status of an answer to a range that begins behind the end.
const RANGE_NOT_SATISFIABLE: u16 = 416;

/// The object has no bytes where the range begins.
#[derive(Debug, thiserror::Error)]
#[error("the range begins behind the end of the object")]
pub(super) struct BehindTheEnd;

/// Carries requests within the terms of one bucket.
#[derive(Debug, Clone)]
pub(super) struct Carrier {
    pub http: Arc<Http>,
    pub terms: OwnTerms,
}

impl HttpConnector for Carrier {
    /// The options are those of a client this build does not have: what bounds a request is in the terms.
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

type Answered<'f> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'f>>;

impl HttpService for Carrier {
    fn call<'s: 'f, 'f>(&'s self, request: HttpRequest) -> Answered<'f> {
        Box::pin(self.carry(request))
    }
}

impl Carrier {
    async fn carry(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let url = head.uri.to_string().parse::<Url>();
        let hop = Hop {
            url: url.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?,
            method: head.method,
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
        };
        let answer = self.http.carry(hop, self.terms.clone()).await.map_err(fault)?;
        if answer.status.as_u16() == RANGE_NOT_SATISFIABLE {
            return Err(HttpError::new(HttpErrorKind::Unknown, BehindTheEnd));
        }
        let mut response = HttpResponse::new(HttpResponseBody::from(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

/// What went wrong, and by its kind whether it may be tried again.
fn fault(fault: Fault) -> HttpError {
    let kind = match fault {
        Fault::Connect => HttpErrorKind::Connect,
        Fault::Protocol => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, fault)
}
