// Copyright (c) 2026, seahub.offline contributors
// SPDX-License-Identifier: GPL-3.0-or-later

// Pulls an image as the kubelet does, through the CRI at a socket: cri-pull SOCKET REFERENCE
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func main() {
	connection, err := grpc.NewClient("unix://"+os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		wanted := &cri.PullImageRequest{Image: &cri.ImageSpec{Image: os.Args[2]}}
		_, err = cri.NewImageServiceClient(connection).PullImage(ctx, wanted)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
