// Copyright (c) 2026, seahub.offline contributors
// SPDX-License-Identifier: GPL-3.0-or-later

// Asks for an image as k3s and RKE2 do, and prints its digest: rancher-pull REGISTRIES.YAML REFERENCE
package main

import (
	"fmt"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/rancher/wharfie/pkg/registries"
	"github.com/sirupsen/logrus"
)

func main() {
	// Which says what is asked where.
	logrus.SetLevel(logrus.DebugLevel)
	digest, err := ask(os.Args[1], os.Args[2])
	if err != nil {
		logrus.Fatal(err)
	}
	fmt.Println(digest)
}

func ask(file, reference string) (string, error) {
	registry, err := registries.GetPrivateRegistries(file)
	if err != nil {
		return "", err
	}
	wanted, err := name.ParseReference(reference)
	if err != nil {
		return "", err
	}
	image, err := registry.Image(wanted)
	if err != nil {
		return "", err
	}
	digest, err := image.Digest()
	return digest.String(), err
}
