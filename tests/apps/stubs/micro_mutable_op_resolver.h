// Operators are counted, and an unknown method does not compile.
#pragma once
enum TfLiteStatus { kTfLiteOk, kTfLiteError };

namespace tflite {

template <unsigned int N>
class MicroMutableOpResolver {
 public:
  TfLiteStatus AddConv2D() { return Add(); }
  TfLiteStatus AddFullyConnected() { return Add(); }
  TfLiteStatus AddMul() { return Add(); }
  TfLiteStatus AddQuantize() { return Add(); }
  TfLiteStatus AddReshape() { return Add(); }
  unsigned int count = 0;

 private:
  TfLiteStatus Add() { return ++count > N ? kTfLiteError : kTfLiteOk; }
};

}  // namespace tflite
