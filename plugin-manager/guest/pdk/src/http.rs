//! Requests the host makes over HTTP. Needs the permission `network` connect for the host and port of the URL.

use std::time::Duration;

use forgeone_abi::names::syscall::HTTP_REQUEST;
use forgeone_abi::wire::read_text;
use forgeone_abi::{Args, Malformed};

use crate::call::call;
use crate::error::HostError;

/// Names and values of headers, in order.
pub(crate) type Headers = Vec<(String, Vec<u8>)>;

/// A request, built step by step and then sent.
///
/// ```
/// use forgeone_pdk::http::{Request, Response};
/// use std::time::Duration;
///
/// let host = forgeone_pdk::testing::Host::install();
/// host.http(|request| Ok(Response::new(200, request.url())));
/// let answer = Request::get("https://api.example.com/items")
///     .header("accept", "application/json")
///     .timeout(Duration::from_secs(2))
///     .send()?;
/// assert_eq!((answer.status(), answer.text()?), (200, "https://api.example.com/items"));
/// # Ok::<(), forgeone_pdk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    method: String,
    url: String,
    headers: Headers,
    body: Vec<u8>,
    timeout: Option<Duration>,
}

impl Request {
    /// A request with no headers and no body.
    pub fn new(method: &str, url: &str) -> Self {
        let (method, url) = (method.to_owned(), url.to_owned());
        Self { method, url, headers: Vec::new(), body: Vec::new(), timeout: None }
    }

    /// `GET`.
    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    /// `POST`.
    pub fn post(url: &str) -> Self {
        Self::new("POST", url)
    }

    /// Adds a header. A value may name a secret by [`crate::secret::reference`]: the host fills it in.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Waits no longer than this, in whole milliseconds and at least one. Without it the deadline of the call
    /// is the only one.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends it. Any answer of the server is one, whatever its status.
    ///
    /// # Errors
    /// The host's status: denied, a timeout, unavailable when the server cannot be reached, unknown on a host
    /// without HTTP.
    pub fn send(&self) -> Result<Response, HostError> {
        let millis = self.timeout.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX).max(1));
        call(
            HTTP_REQUEST,
            |args| {
                args.put(self.method.as_bytes())?;
                args.put(self.url.as_bytes())?;
                args.put_list(&flat(&self.headers))?;
                args.put(&self.body)?;
                millis.map_or(Ok(()), |millis| args.put(&millis.to_le_bytes()))
            },
            |response| Response::decode(response).map_err(HostError::malformed(HTTP_REQUEST)),
        )
    }

    /// The method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The value of the first header of this name, in any case.
    pub fn header_value(&self, name: &str) -> Option<&[u8]> {
        first(&self.headers, name)
    }

    /// The longest wait it asks for.
    pub fn longest_wait(&self) -> Option<Duration> {
        self.timeout
    }

    /// The body it has.
    pub fn content(&self) -> &[u8] {
        &self.body
    }
}

/// What the server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    status: u16,
    headers: Headers,
    body: Vec<u8>,
}

impl Response {
    /// An answer without headers, for [`crate::testing`] hosts.
    #[must_use]
    pub fn new(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self { status, headers: Vec::new(), body: body.as_ref().to_vec() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// The status of HTTP: 200 and so on.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is one of 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Names and values of the headers, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// The value of the first header of this name, in any case.
    pub fn header_value(&self, name: &str) -> Option<&[u8]> {
        first(&self.headers, name)
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn text(&self) -> Result<&str, std::str::Utf8Error> {
        std::str::from_utf8(&self.body)
    }

    fn decode(response: &[u8]) -> Result<Self, Malformed> {
        let list = Args::parse(response)?;
        let [_, _, body] = list.exactly()?;
        let status = u16::try_from(list.u64(0)?).map_err(|_| Malformed::Value)?;
        Ok(Self { status, headers: headers(&list, 1)?, body: body.to_vec() })
    }

    /// The response as a host writes it.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn encode(&self) -> Result<Vec<u8>, forgeone_abi::Full> {
        use forgeone_abi::wire::append;
        let (mut response, mut headers) = (Vec::new(), Vec::new());
        flat(&self.headers).iter().try_for_each(|item| append(&mut headers, item))?;
        append(&mut response, &u64::from(self.status).to_le_bytes())?;
        append(&mut response, &headers)?;
        append(&mut response, &self.body)?;
        Ok(response)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Request {
    /// The request a host reads from the arguments of the call.
    pub(crate) fn decode(args: Args<'_>) -> Result<Self, Malformed> {
        if args.len() > 5 {
            return Err(Malformed::Surplus { expected: 5 });
        }
        let timeout = if args.len() == 5 { Some(Duration::from_millis(args.u64(4)?)) } else { None };
        Ok(Self {
            method: args.text(0)?.to_owned(),
            url: args.text(1)?.to_owned(),
            headers: headers(&args, 2)?,
            body: args.nth(3)?.to_vec(),
            timeout,
        })
    }

    /// With each header's value replaced by what `value` makes of it.
    pub(crate) fn with_headers<E>(mut self, value: impl Fn(&[u8]) -> Result<Vec<u8>, E>) -> Result<Self, E> {
        for header in &mut self.headers {
            header.1 = value(&header.1)?;
        }
        Ok(self)
    }
}

fn flat(headers: &Headers) -> Vec<&[u8]> {
    headers.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_slice()]).collect()
}

fn headers(list: &Args<'_>, index: usize) -> Result<Headers, Malformed> {
    list.pairs(index)?.map(|(name, value)| Ok((read_text(name)?.to_owned(), value.to_vec()))).collect()
}

fn first<'h>(headers: &'h Headers, name: &str) -> Option<&'h [u8]> {
    headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;
    use forgeone_abi::Status;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_answer_is_read_back_and_any_bytes_are_an_answer_or_refused(
            status: u16, names in proptest::collection::vec(".{0,8}", 0..4), body: Vec<u8>, noise: Vec<u8>,
        ) {
            let answer = names.iter().fold(Response::new(status, &body), |answer, name| answer.header(name, &body));
            prop_assert_eq!(Response::decode(&answer.encode().unwrap()), Ok(answer));
            if let Ok(read) = Response::decode(&noise) {
                prop_assert_eq!(read.encode().unwrap(), noise);
            }
        }
    }

    #[test]
    fn a_request_arrives_as_it_was_built_and_so_does_its_answer() {
        let host = Host::install();
        host.http(|_| Ok(Response::new(418, [0xff]).header("x-a", "1").header("X-A", "2")));
        let request = Request::new("PUT", "https://example.com:8443/a?b=c")
            .header("accept", "*/*")
            .header("x-bytes", [0xfe])
            .body("body")
            .timeout(Duration::from_millis(1500));
        let answer = request.send().unwrap();
        assert_eq!(host.requests(), [request]);
        assert_eq!((answer.status(), answer.is_success(), answer.body()), (418, false, &[0xff][..]));
        assert_eq!(answer.headers().collect::<Vec<_>>(), [("x-a", &b"1"[..]), ("X-A", b"2")]);
        assert_eq!(answer.header_value("X-a"), Some(&b"1"[..]));
        assert!(answer.text().is_err());
    }

    #[test]
    fn a_timeout_below_a_millisecond_is_one() {
        let host = Host::install();
        host.http(|request| Ok(Response::new(200, format!("{:?}", request.longest_wait()))));
        let asked = |request: Request| request.send().unwrap().text().unwrap().to_owned();
        assert_eq!(asked(Request::get("https://a")), "None");
        assert_eq!(asked(Request::get("https://a").timeout(Duration::ZERO)), "Some(1ms)");
    }

    #[test]
    fn refusals_are_statuses_and_a_host_without_http_is_told() {
        let host = Host::install();
        let error = Request::get("https://a").send().unwrap_err();
        assert_eq!(error.to_string(), "http_request: this host has no such call");
        host.http(|_| Err(Status::Timeout));
        assert_eq!(Request::get("https://a").send().unwrap_err().status(), Status::Timeout);
        host.deny("http_request");
        assert_eq!(Request::get("https://a").send().unwrap_err().status(), Status::Denied);
    }

    #[test]
    fn an_answer_that_is_none_is_the_hosts_fault() {
        let host = Host::install();
        let good = Response::new(200, "x").encode().unwrap();
        let mut status = good.clone();
        status[6] = 1;
        let short = good[..good.len() - 1].to_vec();
        for bad in [Vec::new(), short, status] {
            host.service("http_request", move |_| Ok(bad.clone()));
            assert_eq!(Request::get("https://a").send().unwrap_err().status(), Status::Internal);
        }
    }
}
