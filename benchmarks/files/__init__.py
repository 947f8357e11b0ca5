"""Networks as integer files: conversion, agreement with the Keras model, and latency beside other tools."""
