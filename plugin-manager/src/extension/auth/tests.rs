//! Tokens of an issuer with keys of every algorithm; and those that are not good.

use super::super::testing::{Host, args};
use super::*;
use crate::extension::http::tests::{World as Net, answer};
use crate::extension::http::{Http, HttpOptions, SystemResolver, Vouchers};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::clock::Deadline;
use common::crypto::{Algorithm, SigningKey};
use microkernel::syscall_bridge::Status;
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const NOW: u64 = 1_700_000_000;

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token with this header and these claims, signed by this key.
fn signed(header: &str, claims: &str, key: &SigningKey) -> String {
    let message = format!("{}.{}", b64(header), b64(claims));
    format!("{message}.{}", b64(key.sign(message.as_bytes()).unwrap()))
}

fn claims(changes: &str) -> String {
    format!(r#"{{"iss":"https://id.test","aud":["forge","other"],"exp":{},"sub":"ada"{changes}}}"#, NOW + 60)
}

fn set(keys: &[(&str, &SigningKey)]) -> String {
    let keys: Vec<String> = keys
        .iter()
        .map(|(id, key)| {
            let x = b64(key.public().as_bytes());
            format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{id}","use":"sig","x":"{x}"}}"#)
        })
        .collect();
    format!(r#"{{"keys":[{{"kty":"oct","k":"AAAA"}},{}]}}"#, keys.join(","))
}

struct World {
    host: Host,
    key: SigningKey,
    file: PathBuf,
    _dir: tempfile::TempDir,
}

fn ed25519() -> SigningKey {
    SigningKey::generate(Algorithm::Ed25519).unwrap().0
}

fn issuer(keys: &Path) -> Issuer {
    Issuer {
        name: "https://id.test".into(),
        audiences: vec!["forge".into()],
        algorithms: vec![TokenAlgorithm::EdDsa, TokenAlgorithm::Es256, TokenAlgorithm::Rs256],
        keys: KeySource::File(keys.to_owned()),
        leeway: Duration::from_secs(30),
        refresh: Duration::from_secs(600),
    }
}

impl World {
    fn new() -> Self {
        Self::with(|_| ())
    }
    fn with(change: impl FnOnce(&mut Issuer)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (file, key) = (dir.path().join("keys.json"), ed25519());
        std::fs::write(&file, set(&[("k1", &key)])).unwrap();
        let mut issuer = issuer(&file);
        change(&mut issuer);
        let mut host = Host::new();
        host.clock.jump_to(NOW * 1_000_000_000);
        let http = Http::new(HttpOptions::default(), Vouchers::System, Arc::new(SystemResolver));
        host.issuers = Arc::new(Issuers::new(vec![issuer], Arc::new(http)));
        Self { host, key, file, _dir: dir }
    }
    fn verify(&self, token: &str) -> Result<String, String> {
        let answered = self.host.cause("auth_verify", args().arg(token));
        answered.map(|json| String::from_utf8(json).unwrap()).map_err(|e| e.to_string())
    }
    fn signed(&self, header: &str, changes: &str) -> Result<String, String> {
        self.verify(&signed(header, &claims(changes), &self.key))
    }
}

const EDDSA: &str = r#"{"alg":"EdDSA","kid":"k1","typ":"JWT"}"#;

#[test]
fn the_claims_of_a_good_token_are_answered_as_they_were_written() {
    let world = World::new();
    assert_eq!(world.signed(EDDSA, r#", "x":[1]"#), Ok(claims(r#", "x":[1]"#)));
    assert!(world.signed(r#"{"alg":"EdDSA"}"#, "").is_ok(), "a token need not name its key");
    let token = signed(EDDSA, &claims(""), &world.key);
    assert_eq!(world.host.target("auth_verify", args().arg(&token)), Ok(("https://id.test".into(), false)));
}

#[test]
fn a_token_is_no_better_than_its_signature() {
    let world = World::new();
    let good = signed(EDDSA, &claims(""), &world.key);
    let (message, signature) = good.rsplit_once('.').unwrap();
    for forged in [
        format!("{message}."),
        format!("{message}.{}", b64([0; 64])),
        signed(EDDSA, &claims(""), &ed25519()),
        format!("{}.{}.{signature}", b64(EDDSA), b64(claims(r#","admin":true"#))),
    ] {
        assert_eq!(world.verify(&forged), Err("invalid: no key of the issuer verifies the token".into()));
    }
}

#[test]
fn the_token_does_not_choose_how_it_is_verified() {
    let world = World::new();
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None","kid":"k1"}"#,
        r#"{"alg":"HS256","kid":"k1"}"#,
        r#"{"alg":"RS256","kid":"k1"}"#,
        r#"{"alg":"ES256","kid":"k1"}"#,
        r#"{"alg":"EdDSA","kid":"k2"}"#,
        r#"{"alg":"eddsa","kid":"k1"}"#,
    ] {
        assert!(world.signed(header, "").unwrap_err().contains("no key"), "{header}");
    }
    let narrow = World::with(|issuer| issuer.algorithms = vec![TokenAlgorithm::Es256]);
    assert!(narrow.signed(EDDSA, "").unwrap_err().contains("no key"));
    for header in [
        r#"{"kid":"k1"}"#,
        r#"{"alg":"EdDSA","crit":["b64"],"b64":false}"#,
        r#"{"alg":"EdDSA","alg":"none"}"#,
        r#"{"alg":"EdDSA","typ":"secevent+jwt"}"#,
        r#"["EdDSA", "k1", null, null]"#,
        "",
    ] {
        assert!(world.signed(header, "").unwrap_err().contains("header"), "{header}");
    }
}

#[test]
fn claims_hold_for_their_audience_and_in_their_time() {
    let world = World::new();
    let with = |claims: String| world.verify(&signed(EDDSA, &claims, &world.key));
    let at = |exp: i64, rest: &str| {
        let exp = NOW.cast_signed() + exp;
        with(format!(r#"{{"iss":"https://id.test","aud":"forge","exp":{exp}{rest}}}"#))
    };
    assert!(at(1, "").is_ok() && at(-29, "").is_ok(), "within the leeway");
    assert!(at(-30, "").unwrap_err().contains("expired"));
    let begins = |name: &str, after: u64| at(60, &format!(r#","{name}":{}"#, NOW + after));
    assert!(begins("nbf", 30).is_ok() && begins("iat", 30).is_ok());
    assert!(begins("nbf", 31).unwrap_err().contains("not valid yet"));
    assert!(begins("iat", 31).unwrap_err().contains("not valid yet"));
    let audience = |aud: &str| with(format!(r#"{{"iss":"https://id.test","exp":{}{aud}}}"#, NOW + 1));
    for bad in ["", r#","aud":"Forge""#, r#","aud":[]"#, r#","aud":["a","b"]"#] {
        assert!(audience(bad).unwrap_err().contains("another audience"), "{bad}");
    }
    for bad in [
        r#"{"aud":"forge","exp":1}"#,
        r#"{"iss":"https://id.test","aud":"forge"}"#,
        r#"{"iss":"","exp":1}"#,
        r#"{"iss":"a","exp":"1"}"#,
        r#"{"iss":"a","iss":"b","exp":1}"#,
        r#"{"iss":"a","exp":1e300}"#,
        r#"["https://id.test","forge",4e9,null,null]"#,
        "1",
        "",
    ] {
        assert!(with(bad.to_owned()).unwrap_err().contains("claims"), "{bad}");
    }
    let stranger = format!(r#"{{"iss":"https://evil.test","aud":"forge","exp":{}}}"#, NOW + 60);
    assert!(with(stranger).unwrap_err().contains("not configured"));
}

#[test]
fn a_new_key_is_found_and_asked_for_no_more_than_every_half_minute() {
    let world = World::new();
    assert!(world.signed(EDDSA, "").is_ok());
    let next = ed25519();
    let token = signed(r#"{"alg":"EdDSA","kid":"k2"}"#, &claims(""), &next);
    std::fs::write(&world.file, set(&[("k1", &world.key), ("k2", &next)])).unwrap();
    assert!(world.verify(&token).is_err(), "read just now");
    world.host.clock.advance(Duration::from_secs(31));
    assert!(world.verify(&token).is_ok());
}

#[test]
fn keys_that_cannot_be_read_anew_are_kept_for_an_hour_and_no_longer() {
    let world = World::with(|issuer| issuer.leeway = Duration::from_secs(100_000));
    assert!(world.signed(EDDSA, "").is_ok());
    std::fs::remove_file(&world.file).unwrap();
    world.host.clock.advance(Duration::from_secs(3599));
    assert!(world.signed(EDDSA, "").is_ok());
    world.host.clock.advance(Duration::from_secs(2));
    assert!(world.signed(EDDSA, "").unwrap_err().starts_with("unavailable"));
}

#[test]
fn a_withdrawn_key_is_gone_with_the_next_reading() {
    let world = World::with(|issuer| issuer.leeway = Duration::from_secs(100_000));
    assert!(world.signed(EDDSA, "").is_ok());
    std::fs::write(&world.file, set(&[("k2", &ed25519())])).unwrap();
    world.host.clock.advance(Duration::from_secs(601));
    assert!(world.signed(EDDSA, "").unwrap_err().contains("no key"));
}

/// An issuer whose keys are at this URL, in a world of its own.
fn issuer_at(world: &mut Net, url: &str) {
    let issuer = Issuer { keys: KeySource::Url(url.parse().unwrap()), ..issuer(Path::new("")) };
    world.host.clock.jump_to(NOW * 1_000_000_000);
    world.host.issuers = Arc::new(Issuers::new(vec![issuer], world.host.http.clone()));
}

#[test]
fn keys_that_could_not_be_fetched_are_not_asked_for_again_for_half_a_minute() {
    let mut world = Net::new();
    let server = world.server("id.test", |_| answer(500, "", ""));
    issuer_at(&mut world, &server.at("/"));
    let token = signed(EDDSA, &claims(""), &ed25519());
    for asked in [1, 1, 1, 2, 2] {
        assert_eq!(world.host.call("auth_verify", args().arg(&token)), Err(Status::Unavailable));
        assert_eq!(server.seen().len(), asked);
        world.host.clock.advance(Duration::from_secs(11));
    }
}

#[test]
fn a_caller_that_gives_up_neither_ends_the_reading_of_keys_nor_makes_it_a_failure() {
    let mut world = Net::new();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (key, clock, released) = (ed25519(), world.host.clock.clone(), parking_lot::Mutex::new(released));
    let keys = answer(200, "", &set(&[("k1", &key)]));
    let server = world.server("id.test", move |_| {
        clock.advance(Duration::from_secs(2));
        released.lock().recv().ok();
        keys.clone()
    });
    issuer_at(&mut world, &server.at("/"));
    let token = signed(EDDSA, &claims(""), &key);
    world.host.deadline = Deadline::after(&*world.host.clock, Duration::from_secs(1));
    for _ in 0..3 {
        assert_eq!(world.host.call("auth_verify", args().arg(&token)), Err(Status::Timeout));
    }
    drop(release);
    world.host.deadline = Deadline::NEVER;
    assert!(world.host.call("auth_verify", args().arg(&token)).is_ok());
    assert_eq!(server.seen().len(), 1, "the reading that was begun is the one that is used");
}

#[test]
fn key_sets_are_bounded_and_keys_of_other_kinds_passed_over() {
    let key = ed25519();
    assert_eq!(jwk::key_set(set(&[("a", &key)]).as_bytes()).unwrap().len(), 1);
    let many: Vec<(&str, &SigningKey)> = (0..65).map(|_| ("a", &key)).collect();
    assert_eq!(jwk::key_set(set(&many).as_bytes()), Err(jwk::BadSet::Size));
    assert_eq!(jwk::key_set(&[b' '; jwk::MAX_SET + 1]), Err(jwk::BadSet::Size));
    let x = b64(key.public().as_bytes());
    for unusable in [
        r#"{"kty":"oct","k":"AAAA"}"#.to_owned(),
        format!(r#"{{"kty":"OKP","crv":"Ed25519","use":"enc","x":"{x}"}}"#),
        format!(r#"{{"kty":"OKP","crv":"Ed25519","alg":"ES256","x":"{x}"}}"#),
        format!(r#"{{"kty":"OKP","crv":"X25519","x":"{x}"}}"#),
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}"}}"#),
        r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(),
        "3".to_owned(),
    ] {
        let set = format!(r#"{{"keys":[{unusable}]}}"#);
        assert_eq!(jwk::key_set(set.as_bytes()), Err(jwk::BadSet::Empty), "{unusable}");
    }
    for none in ["", "{}", "[]", r#"{"keys":{}}"#] {
        assert_eq!(jwk::key_set(none.as_bytes()), Err(jwk::BadSet::Form), "{none}");
    }
}

/// RFC 7515, appendices A.2 and A.3: tokens other people signed.
#[test]
fn signatures_of_the_standard_verify() {
    let rsa = r#"{"keys":[{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}]}"#;
    let ec = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
    let payload =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let by_rsa = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let by_ec = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    for (set, header, signature) in
        [(rsa, "eyJhbGciOiJSUzI1NiJ9", by_rsa), (ec, "eyJhbGciOiJFUzI1NiJ9", by_ec)]
    {
        let text = format!("{header}.{payload}.{signature}");
        let token = token::Token::parse(&text).unwrap();
        let keys = jwk::key_set(set.as_bytes()).unwrap();
        assert_eq!((keys[0].algorithm.name(), token.issuer()), (token.algorithm.as_str(), "joe"));
        keys[0].key.verify(token.signed, &token.signature).unwrap();
        assert!(keys[0].key.verify(b"other", &token.signature).is_err());
    }
}

#[test]
fn what_is_no_token_is_invalid() {
    let world = World::new();
    for bad in ["", ".", "..", "a.b.c", "a.b", "a.b.c.d", &"a".repeat(20_000)] {
        assert_eq!(world.host.call("auth_verify", args().arg(bad)), Err(Status::Invalid), "{bad}");
    }
    assert_eq!(world.host.call("auth_verify", args()), Err(Status::Invalid));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(token in "[A-Za-z0-9_.-]{0,80}", keys: Vec<u8>, header in ".{0,40}", payload in ".{0,40}") {
        drop(fuzzing::read(&token, &keys));
        drop(fuzzing::read(&format!("{}.{}.", b64(&header), b64(&payload)), header.as_bytes()));
    }
}
