//! The RPC server of `patches/sc-rpc-server` lets in the pages that its list names, and programs.

use jsonrpsee::RpcModule;
use sc_rpc_server::{
    create_rpc_runtime, start_server, BatchRequestConfig, Config, RpcEndpoint, RpcMethods, Server,
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

/// What `--rpc-cors` is off `--dev`, and two more.
const LISTED: [&str; 4] = [
    "http://localhost:*",
    "https://polkadot.js.org",
    "https://Wallet.example",
    "chrome-extension://abc",
];

/// A request for a WebSocket, as RFC 6455 has it.
const WEB_SOCKET: &str = "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
/// The same question over HTTP.
const POST: &str = "POST / HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json\r\n\
    Content-Length: 46\r\n";
const BODY: &str = r#"{"jsonrpc":"2.0","id":1,"method":"rpc_methods"}"#;
