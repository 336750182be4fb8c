// Package mlflow is a registry in an MLflow tracking server.
package mlflow
