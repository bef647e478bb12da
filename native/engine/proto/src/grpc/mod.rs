//! Health checks of gRPC: `grpc.health.v1.Health/Check`, one unary call over HTTP/2.

mod answer;
mod exchange;
mod plan;
#[cfg(test)]
mod tests;

pub use exchange::{GrpcConversation, GrpcExchange};
pub use plan::{GrpcPlan, GrpcSpec, GrpcSpecError};
