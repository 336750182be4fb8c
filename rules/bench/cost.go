package main

import "context"

func (b *bench) cost(ctx context.Context) error { return ctx.Err() }
