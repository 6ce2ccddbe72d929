//! What an operation may take and answer: bytes, text, nothing, and with the feature `json` any serde type.

use std::borrow::Cow;

use crate::error::Error;

/// What an operation may take: made from the input of a call, from which it may borrow.
#[diagnostic::on_unimplemented(
    message = "an operation cannot take `{Self}`",
    note = "it may take &[u8], &str, Vec<u8>, String or (feature `json`) Json<T>"
)]
pub trait Input<'a>: Sized {
    /// Makes it from the whole input.
    ///
    /// # Errors
    /// [`Error::INVALID_INPUT`] with a text that says why the input is not one.
    fn from_input(input: &'a [u8]) -> Result<Self, Error>;
}

impl<'a> Input<'a> for &'a [u8] {
    fn from_input(input: &'a [u8]) -> Result<Self, Error> {
        Ok(input)
    }
}

impl Input<'_> for Vec<u8> {
    fn from_input(input: &[u8]) -> Result<Self, Error> {
        Ok(input.to_vec())
    }
}

impl<'a> Input<'a> for &'a str {
    fn from_input(input: &'a [u8]) -> Result<Self, Error> {
        std::str::from_utf8(input).map_err(|error| {
            let good = error.valid_up_to();
            Error::new(Error::INVALID_INPUT, format_args!("the input is not UTF-8 text after byte {good}"))
        })
    }
}

impl Input<'_> for String {
    fn from_input(input: &[u8]) -> Result<Self, Error> {
        <&str>::from_input(input).map(str::to_owned)
    }
}

/// What an operation may answer: its bytes are the output of the call.
#[diagnostic::on_unimplemented(
    message = "an operation cannot answer `{Self}`",
    note = "it may answer bytes (&[u8], Vec<u8>, [u8; N]), text (&str, String), () or (feature `json`) Json<T>"
)]
pub trait Output {
    /// The bytes.
    ///
    /// # Errors
    /// When it cannot be written as bytes.
    fn into_output(self) -> Result<impl AsRef<[u8]>, Error>;
}

/// Nothing.
impl Output for () {
    fn into_output(self) -> Result<impl AsRef<[u8]>, Error> {
        Ok([])
    }
}

macro_rules! as_they_are {
    ($($(#[$why:meta])* impl[$($generics:tt)*] $output:ty;)*) => {$(
        $(#[$why])*
        impl<$($generics)*> Output for $output {
            fn into_output(self) -> Result<impl AsRef<[u8]>, Error> {
                Ok(self)
            }
        }
    )*};
}

as_they_are! {
    impl[] &[u8];
    impl[] &Vec<u8>;
    impl[] Vec<u8>;
    impl[] Box<[u8]>;
    impl[] Cow<'_, [u8]>;
    impl[const N: usize] [u8; N];
    impl[] &str;
    impl[] &String;
    impl[] String;
}

impl Output for Cow<'_, str> {
    fn into_output(self) -> Result<impl AsRef<[u8]>, Error> {
        Ok(match self {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(output: impl Output) -> Vec<u8> {
        output.into_output().unwrap().as_ref().to_vec()
    }

    #[test]
    fn every_output_is_its_bytes() {
        assert_eq!(bytes(()), b"");
        for output in
            [bytes(&b"ab"[..]), bytes(b"ab".to_vec()), bytes(*b"ab"), bytes("ab"), bytes(String::from("ab"))]
        {
            assert_eq!(output, b"ab");
        }
        assert_eq!([bytes(Cow::Borrowed("ab")), bytes(Cow::<str>::Owned("ab".into()))], [b"ab"; 2]);
        assert_eq!(bytes(Cow::Borrowed(&b"ab"[..])), b"ab");
    }

    #[test]
    fn text_inputs_are_checked_and_bytes_are_not() {
        let bad = b"a\xff";
        assert_eq!(<&[u8]>::from_input(bad).unwrap(), bad);
        assert_eq!(Vec::from_input(bad).unwrap(), bad);
        assert_eq!(<&str>::from_input(bad).unwrap_err().code(), -3);
        assert_eq!(String::from_input(b"\xc3\xa9").unwrap(), "\u{e9}");
    }
}
