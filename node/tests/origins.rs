//! The RPC server of `patches/sc-rpc-server` serves programs; of pages in browsers, it serves only those whose origin is listed.

use jsonrpsee::RpcModule;
use sc_rpc_server::{
    create_rpc_runtime, start_server, BatchRequestConfig, Config, RpcEndpoint, RpcMethods, Server,
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

/// A request for a WebSocket, without its origin: RFC 6455, 4.1.
const WEB_SOCKET: &str = "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
/// The head of a question over HTTP, without its origin and its length.
const POST: &str = "POST / HTTP/1.1\r\nContent-Type: application/json\r\n";
/// The question.
const QUESTION: &str = r#"{"jsonrpc":"2.0","id":1,"method":"rpc_methods"}"#;
/// Somebody else's page.
const FOREIGN: &str = "https://evil.example";

/// A server that has these origins on its list, or lets every origin in.
fn server(listed: Option<&[&str]>) -> Server {
    let cors = listed.map(|listed| listed.iter().map(|&origin| origin.to_owned()).collect());
    let endpoint = RpcEndpoint {
        listen_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        batch_config: BatchRequestConfig::Unlimited,
        max_connections: 100,
        max_payload_in_mb: 1,
        max_payload_out_mb: 1,
        max_subscriptions_per_connection: 8,
        max_buffer_capacity_per_connection: 8,
        rate_limit: None,
        rate_limit_trust_proxy_headers: false,
        rate_limit_whitelisted_ips: Vec::new(),
        cors,
        rpc_methods: RpcMethods::Auto,
        is_optional: false,
        retry_random_port: false,
    };
    let rpc_runtime = create_rpc_runtime(4).expect("a runtime");
    let handle = rpc_runtime.handle().clone();
    let started = start_server(Config {
        endpoints: vec![endpoint],
        metrics: None,
        rpc_api: RpcModule::new(()),
        id_provider: None,
        request_logger_limit: 1024,
        rpc_runtime,
    });
    handle.block_on(started).expect("a free port")
}

/// Status and body of the answer to a request that names these origins.
fn answer(server: &Server, head: &str, origins: &[&str], body: &str) -> (u16, String) {
    let address = server.listen_addrs()[0];
    let origins = origins.iter().map(|origin| format!("Origin: {origin}\r\n"));
    let origins: String = origins.collect();
    let mut stream = TcpStream::connect(address).expect("it listens");
    let limit = Some(Duration::from_secs(20));
    stream.set_read_timeout(limit).expect("a time limit");
    let request = format!("{head}Host: {address}\r\n{origins}\r\n{body}");
    stream.write_all(request.as_bytes()).expect("it reads");

    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    };
    let status = line();
    let status = status.split(' ').nth(1).expect("HTTP/1.1 and a status");
    let status = status.parse().expect("a number");
    let mut length = 0;
    loop {
        let header = line();
        if header.is_empty() {
            break;
        }
        if let Some(bytes) = header.strip_prefix("content-length: ") {
            length = bytes.parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the body");
    (status, String::from_utf8(body).expect("text"))
}

/// Whether a request is let in, for a WebSocket and over HTTP alike.
fn is_let_in(server: &Server, origins: &[&str]) -> bool {
    let post = format!("{POST}Content-Length: {}\r\n", QUESTION.len());
    let answers = [
        (answer(server, WEB_SOCKET, origins, ""), 101),
        (answer(server, &post, origins, QUESTION), 200),
    ];
    let are_in = answers.map(|((status, told), good)| {
        let is_refused = status == 403 && told.contains("--rpc-cors");
        assert!(status == good || is_refused, "{origins:?}: {status} {told}");
        status == good
    });
    assert_eq!(are_in[0], are_in[1], "{origins:?}");
    are_in[0]
}

#[test]
fn a_page_is_let_in_if_its_origin_is_listed() {
    let listed = [
        "http://localhost:*",
        "https://polkadot.js.org",
        "https://Wallet.example:8443",
    ];
    let server = server(Some(&listed));
    for origin in [
        "http://localhost",
        "http://localhost:3000",
        "https://polkadot.js.org",
        "HTTPS://Polkadot.JS.org",
        "https://wallet.example:8443",
    ] {
        assert!(is_let_in(&server, &[origin]), "{origin}");
    }
    for origin in [
        FOREIGN,
        "null",
        "",
        "http://polkadot.js.org",
        "https://polkadot.js.org:8443",
        "https://polkadot.js.org.evil.example",
        "https://wallet.example",
        "https://localhost:3000",
        "http://localhost:",
        "http://localhost:3000.evil.example",
        "http://localhost.evil.example",
        "http://localhos",
    ] {
        assert!(!is_let_in(&server, &[origin]), "{origin}");
    }
    let two = ["https://polkadot.js.org", FOREIGN];
    assert!(!is_let_in(&server, &two), "each has to be listed");
}

#[test]
fn a_program_names_no_origin_and_is_let_in() {
    let lists: [Option<&[&str]>; 3] = [None, Some(&[]), Some(&["https://polkadot.js.org"])];
    for listed in lists {
        assert!(is_let_in(&server(listed), &[]), "{listed:?}");
    }
}

#[test]
fn all_pages_are_let_in_without_a_list_and_files_if_null_is_on_it() {
    let open = server(None);
    for origin in [FOREIGN, "null"] {
        assert!(is_let_in(&open, &[origin]), "{origin}");
    }
    let files = server(Some(&["null"]));
    assert!(is_let_in(&files, &["null"]));
    assert!(!is_let_in(&files, &[FOREIGN]));
}
