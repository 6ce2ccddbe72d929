//! `span_begin`, `span_end`: spans of a plugin within the span of its caller. What is left open ends with the call.

use super::service::{NO_TARGET, Service, invalid, limit, plugin, required, text};
use common::identity::IdentityContext;
use common::trace::TraceContext;
use microkernel::syscall_bridge::{Call, CallError, SpanError, Status, Target, list, take};

/// Most bytes of a span's name, and of the name of an attribute.
const NAME_BYTES: usize = 100;
/// Most attributes of a span.
const ATTRIBUTES: usize = 8;
/// Most bytes of the value of an attribute.
const VALUE_BYTES: usize = 256;

/// Opens a span; answers where in the trace it is, as a `traceparent`.
pub(super) struct SpanBegin;

impl Service for SpanBegin {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let [name, list] = list::<2>(args, 1)?;
        named(required(name)?)?;
        attributes(list.unwrap_or_default())?;
        Ok(NO_TARGET)
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        let [name, list] = list::<2>(call.args, 1)?;
        let attributes = attributes(list.unwrap_or_default())?;
        let opened = call.spans.open(plugin(call.identity)?, named(required(name)?)?, &attributes);
        let context = opened.map_err(|error| match error {
            SpanError::Full => limit("the call has as many spans open as it may"),
            SpanError::Unnamed => CallError::new(Status::Internal, "the span could not be named"),
        })?;
        call.response.extend_from_slice(context.to_string().as_bytes());
        Ok(())
    }
}

/// Ends a span, and those within it.
pub(super) struct SpanEnd;

impl Service for SpanEnd {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        place(args).map(|_| NO_TARGET)
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        if call.spans.close(place(call.args)?.span()) {
            Ok(())
        } else {
            Err(CallError::new(Status::NotFound, "no such span is open"))
        }
    }
}

fn place(args: &[u8]) -> Result<TraceContext, CallError> {
    let [place] = list::<1>(args, 1)?;
    text(required(place)?)?.parse().map_err(|_| invalid("a span is named by what span_begin answered"))
}

fn plain<'a>(bytes: &'a [u8], longest: usize, problem: &'static str) -> Result<&'a str, CallError> {
    let text = text(bytes)?;
    let fits = text.len() <= longest && !text.contains(char::is_control);
    if fits { Ok(text) } else { Err(invalid(problem)) }
}

fn named(bytes: &[u8]) -> Result<&str, CallError> {
    let name = plain(bytes, NAME_BYTES, "a name has 1 to 100 bytes and no control character")?;
    if name.is_empty() {
        Err(invalid("a name has 1 to 100 bytes and no control character"))
    } else {
        Ok(name)
    }
}

/// A nested list of names and values by turns.
fn attributes(mut nested: &[u8]) -> Result<Vec<(&str, &str)>, CallError> {
    let mut attributes = Vec::new();
    while let Some(name) = take(&mut nested)? {
        let value = take(&mut nested)?.ok_or_else(|| invalid("an attribute has no value"))?;
        if attributes.len() == ATTRIBUTES {
            return Err(limit("more than 8 attributes"));
        }
        let value = plain(value, VALUE_BYTES, "a value has at most 256 bytes and no control character")?;
        attributes.push((named(name)?, value));
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Host, args};
    use super::*;
    use microkernel::syscall_bridge::OPEN_SPANS;

    fn begin(host: &Host, name: &str) -> Result<String, Status> {
        host.call("span_begin", args().arg(name)).map(|place| String::from_utf8(place).unwrap())
    }

    fn end(host: &Host, place: &str) -> Result<(), Status> {
        host.call("span_end", args().arg(place)).map(drop)
    }

    #[test]
    fn spans_nest_and_end_by_the_place_they_were_given() {
        let host = Host::new();
        let (outer, inner) = (begin(&host, "outer").unwrap(), begin(&host, "inner").unwrap());
        assert_eq!(outer[..36], inner[..36], "one trace");
        assert_eq!(end(&host, &outer), Ok(()));
        assert_eq!(end(&host, &inner), Err(Status::NotFound), "it ended with the one around it");
        assert_eq!(host.target("span_begin", args().arg("a")), Ok((String::new(), false)));
    }

    #[test]
    fn names_attributes_and_places_are_checked_and_bounded() {
        let host = Host::new();
        let with = |pairs: usize, value: &str| {
            let nested = (0..pairs).fold(args(), |all, _| all.arg("k").arg(value));
            host.call("span_begin", args().arg("a").arg(nested.as_bytes())).map(drop)
        };
        assert_eq!((with(ATTRIBUTES, "v"), with(ATTRIBUTES + 1, "v")), (Ok(()), Err(Status::Limit)));
        assert_eq!(with(1, &"v".repeat(VALUE_BYTES + 1)), Err(Status::Invalid));
        assert_eq!(with(1, "a\nb"), Err(Status::Invalid));
        let odd = args().arg("only a name");
        assert_eq!(host.call("span_begin", args().arg("a").arg(odd.as_bytes())), Err(Status::Invalid));
        for bad in ["", "a\0", &"n".repeat(NAME_BYTES + 1)] {
            assert_eq!(begin(&host, bad), Err(Status::Invalid), "{bad:?}");
        }
        for bad in ["", "x", "00-00000000000000000000000000000000-0000000000000001-01"] {
            assert_eq!(end(&host, bad), Err(Status::Invalid), "{bad:?}");
        }
        for _ in 1..OPEN_SPANS {
            begin(&host, "more").unwrap();
        }
        assert_eq!(begin(&host, "one too many"), Err(Status::Limit));
    }
}
