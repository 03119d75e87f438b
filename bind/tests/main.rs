//! The bind rules, held to the attack table: `rows` and `custom` plan, `words` parses, `sockets` judges passed
//! sockets, `properties` holds the invariants over random hosts.

mod custom;
mod fixture;
mod properties;
mod rows;
mod sockets;
mod words;
