//! Timestamps of an authority that is not ours: `openssl ts` behind a socket, with an RSA key.

use forgeone_tests::{Engine, Environment, Wat, World};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

fn openssl(dir: &Path, args: &[&str]) {
    let ran = Command::new("openssl").args(args).current_dir(dir).output().unwrap();
    assert!(ran.status.success(), "{args:?}: {ran:?}");
}

/// A root, a timestamp certificate below it, and what `openssl ts` needs to know.
fn authority(dir: &Path) {
    let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
    write(
        "tsa.ext",
        "extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\nbasicConstraints=CA:FALSE\n",
    );
    write(
        "tsa.cnf",
        "[tsa]\ndefault_tsa=own\n[own]\nserial=tsa.serial\nsigner_digest=sha256\ndefault_policy=1.2.3.4\n\
         digests=sha256\ness_cert_id_alg=sha256\naccuracy=secs:1,millisecs:500\nordering=yes\ntsa_name=yes\n",
    );
    write("tsa.serial", "01\n");
    openssl(
        dir,
        &[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "root.key",
            "-out",
            "root.crt",
            "-subj",
            "/CN=elsewhere",
            "-days",
            "30",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        ],
    );
    openssl(
        dir,
        &[
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "tsa.key",
            "-out",
            "tsa.csr",
            "-subj",
            "/CN=times elsewhere",
        ],
    );
    openssl(
        dir,
        &[
            "x509",
            "-req",
            "-in",
            "tsa.csr",
            "-CA",
            "root.crt",
            "-CAkey",
            "root.key",
            "-set_serial",
            "7",
            "-days",
            "20",
            "-out",
            "tsa.crt",
            "-extfile",
            "tsa.ext",
        ],
    );
}

/// Answers each request over HTTP until the process ends; gives the address.
fn serve(dir: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/tsa", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().for_each(|stream| answer(&dir, stream.unwrap())));
    url
}

fn answer(dir: &Path, mut stream: TcpStream) {
    let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
    let body = loop {
        let read = stream.read(&mut piece).unwrap();
        seen.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&seen).to_ascii_lowercase();
        let Some(head) = text.find("\r\n\r\n") else { continue };
        assert!(text.contains("content-type: application/timestamp-query"), "{text}");
        let length =
            text.split("content-length: ").nth(1).unwrap().split('\r').next().unwrap().parse::<usize>();
        if seen.len() >= head + 4 + length.unwrap() {
            break seen.split_off(head + 4);
        }
    };
    std::fs::write(dir.join("query"), body).unwrap();
    openssl(
        dir,
        &[
            "ts",
            "-reply",
            "-config",
            "tsa.cnf",
            "-queryfile",
            "query",
            "-signer",
            "tsa.crt",
            "-inkey",
            "tsa.key",
            "-chain",
            "root.crt",
            "-out",
            "reply",
        ],
    );
    let reply = std::fs::read(dir.join("reply")).unwrap();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/timestamp-reply\r\ncontent-length: {}\r\n\r\n",
        reply.len()
    )
    .unwrap();
    stream.write_all(&reply).unwrap();
}

#[test]
#[ignore = "run by cargo xtask interop: needs openssl"]
fn interop_a_timestamp_of_openssl_is_asked_for_and_believed_when_it_is_named() {
    let world = World::new(Environment::Production, Engine::Wasmtime);
    let dir = world.path("tsa");
    std::fs::create_dir(&dir).unwrap();
    authority(&dir);
    let url = serve(dir.clone());
    world.run(&["keys", "init", "--name", "corp"]).ok();
    world.run(&["keys", "issue", "acme"]).ok();
    let package = world.write("good.forgepkg", Wat::good().package());
    let package = package.to_str().unwrap();
    world.run(&["sign", package, "--publisher", "acme", "--timestamp-authority", &url]).ok();
    let unjudged = world.run(&["verify", package]).ok();
    assert!(!unjudged.text().contains("timestamp"), "{unjudged}");
    let file = world.home().join("trust/trust.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let chain = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let pem = format!("{}{}", chain("tsa.crt"), chain("root.crt"));
    let named = format!("{text}\n[[timestamp_authority]]\nname = \"elsewhere\"\npem = '''{pem}'''\n");
    std::fs::write(&file, named.replace("[verify]\n", "[verify]\nrequire_timestamp = true\n")).unwrap();
    let judged = world.run(&["verify", package]).ok();
    assert!(judged.text().contains("the timestamp's time"), "{judged}");
    // With another authority named, this one counts for nothing.
    world.run(&["keys", "notary"]).ok();
    let own = text.replace("[verify]\n", "[verify]\nrequire_timestamp = true\n")
        + "\n[[timestamp_authority]]\nname = \"corp\"\nfile = \"roots/corp-timestamps.pem\"\n";
    std::fs::write(&file, own).unwrap();
    world.run(&["verify", package]).fails(3, "E1415");
}
