//! Typed JSON: operations over serde types, and stored values, events, claims and HTTP bodies that are one.
//! Needs the feature `json`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::convert::{Input, Output};
use crate::error::Error;
use crate::{auth, event, http, kv, plugins};

pub use serde_json::{Value, json};

/// A value that crosses the boundary as JSON: as what an operation takes, and as what it answers.
///
/// ```
/// use forgeone_pdk::{Error, Json, Plugin, export_plugin};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize)]
/// struct Order { price: u64, amount: u64 }
/// #[derive(Serialize)]
/// struct Bill { total: u64 }
///
/// #[derive(Default)]
/// struct Shop;
/// impl Plugin for Shop {}
/// impl Shop {
///     fn bill(&mut self, Json(order): Json<Order>) -> Result<Json<Bill>, Error> {
///         Ok(Json(Bill { total: order.price * order.amount }))
///     }
/// }
/// export_plugin!(Shop, operations: [bill]);
///
/// # fn main() {
/// let host = forgeone_pdk::testing::Host::install();
/// host.step(exports::init).unwrap();
/// assert_eq!(host.call(exports::bill, br#"{"price":3,"amount":14}"#).unwrap(), br#"{"total":42}"#);
/// let refused = host.call(exports::bill, b"{}").unwrap_err();
/// assert_eq!(refused.status, Error::INVALID_INPUT);
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json<T>(pub T);

impl<'a, T: Deserialize<'a>> Input<'a> for Json<T> {
    fn from_input(input: &'a [u8]) -> Result<Self, Error> {
        serde_json::from_slice(input).map(Self).map_err(|error| {
            Error::new(Error::INVALID_INPUT, format_args!("the input is not the expected JSON: {error}"))
        })
    }
}

impl<T: Serialize> Output for Json<T> {
    fn into_output(self) -> Result<impl AsRef<[u8]>, Error> {
        to_vec(&self.0)
    }
}

/// A value as JSON: for a stored value, or the state of [`Stateful::save`](crate::Stateful::save).
///
/// # Errors
/// When it cannot be written, for example a map whose keys are not text.
pub fn to_vec(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::new(Error::GENERAL, error))
}

/// The value that JSON stands for.
///
/// # Errors
/// When it is not JSON, or not of this type: what and where.
pub fn from_slice<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(json).map_err(|error| Error::new(Error::GENERAL, error))
}

/// As [`from_slice`], with what was read in the error's text.
fn named<T: DeserializeOwned>(what: &str, json: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(json)
        .map_err(|error| Error::new(Error::GENERAL, format_args!("{what} is not the expected JSON: {error}")))
}

/// The stored value of a key, or `None` when there is no such key.
///
/// # Errors
/// The host's status, or that the value is not JSON of this type.
pub fn kv_get<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Error> {
    kv::get(key)?.map(|value| named(&format!("the stored value of {key:?}"), &value)).transpose()
}

/// Stores a value under a key.
///
/// # Errors
/// The host's status, or that the value cannot be written.
pub fn kv_set(key: &str, value: &impl Serialize) -> Result<(), Error> {
    Ok(kv::set(key, &to_vec(value)?)?)
}

/// Emits an event of a type with these details.
///
/// # Errors
/// The host's status, or that the details cannot be written.
pub fn emit(kind: &str, details: &impl Serialize) -> Result<(), Error> {
    let json = serde_json::to_string(details).map_err(|error| Error::new(Error::GENERAL, error))?;
    Ok(event::emit(kind, &json)?)
}

/// Calls an operation of another plugin with a value, and answers what it answered.
///
/// # Errors
/// As [`plugins::call`], that the value cannot be written, or that the answer is not of this type.
pub fn call<T: DeserializeOwned>(plugin: &str, operation: &str, input: &impl Serialize) -> Result<T, Error> {
    let answer = plugins::call(plugin, operation, &to_vec(input)?)?;
    named(&format!("what {plugin} {operation} answered"), &answer)
}

/// The claims of a valid token.
///
/// # Errors
/// As [`auth::verify`], or that the claims are not of this type.
pub fn claims<T: DeserializeOwned>(token: &str) -> Result<T, Error> {
    named("what the token claims", auth::verify(token)?.as_bytes())
}

impl http::Request {
    /// Sends this value as the body, with the header `content-type: application/json`.
    ///
    /// # Errors
    /// When the value cannot be written.
    pub fn json(self, body: &impl Serialize) -> Result<Self, Error> {
        Ok(self.header("content-type", "application/json").body(to_vec(body)?))
    }
}

impl http::Response {
    /// The body as JSON of this type.
    ///
    /// # Errors
    /// When it is not.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        named("the body of the response", self.body())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::new(Self::GENERAL, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;
    use crate::testing::Host;
    use std::collections::BTreeMap;

    #[test]
    fn stored_values_keep_their_type_and_say_when_they_have_another() {
        let host = Host::install();
        assert_eq!(kv_get::<u64>("n").unwrap(), None);
        kv_set("n", &42u64).unwrap();
        assert_eq!((host.kv("n").unwrap(), kv_get::<u64>("n").unwrap()), (b"42".to_vec(), Some(42)));
        let error = kv_get::<String>("n").unwrap_err();
        assert!(
            error.message().starts_with("the stored value of \"n\" is not the expected JSON: "),
            "{error}"
        );
        host.deny("kv_get");
        assert_eq!(kv_get::<u64>("n").unwrap_err().code(), Status::Denied.code());
    }

    #[test]
    fn what_json_cannot_say_is_an_error() {
        let map = BTreeMap::from([((1, 2), 3)]);
        assert!(to_vec(&map).is_err() && Json(map).into_output().is_err());
        assert!(from_slice::<u8>(b"256").is_err());
    }

    #[test]
    fn events_claims_and_bodies_are_typed() {
        let host = Host::install();
        emit("order.paid", &json!({"total": 42})).unwrap();
        assert_eq!(host.events(), [("order.paid".to_owned(), r#"{"total":42}"#.to_owned())]);
        host.plugin("sums", "add", |input| Ok(if input == b"[1,2]" { b"3".to_vec() } else { Vec::new() }));
        assert_eq!(call::<u8>("sums", "add", &[1, 2]).unwrap(), 3);
        assert!(call::<u8>("sums", "add", &0).unwrap_err().message().starts_with("what sums add answered"));
        host.set_token("good", r#"{"sub":"ada"}"#);
        assert_eq!(claims::<BTreeMap<String, String>>("good").unwrap()["sub"], "ada");
        assert!(claims::<u64>("good").unwrap_err().message().starts_with("what the token claims"));
        host.http(|request| Ok(http::Response::new(200, request.content())));
        let answered = http::Request::post("https://example.com").json(&[1, 2]).unwrap().send().unwrap();
        assert_eq!(answered.json::<Vec<u8>>().unwrap(), [1, 2]);
        assert_eq!(host.requests()[0].header_value("Content-Type"), Some(&b"application/json"[..]));
        assert!(answered.json::<String>().unwrap_err().message().starts_with("the body of the response"));
    }
}
